"""``python -m napari_scope.cli``: the same as the command ``napari-scope``."""

from napari_scope.cli.commands import main

if __name__ == "__main__":
    main()
