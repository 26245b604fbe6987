"""Run a multi-dimensional acquisition on the demo microscope and save it.

    python examples/acquire.py [FOLDER]

For your own microscope, give its Micro-Manager configuration to ``owner.load``.
"""

from __future__ import annotations

import sys
import time

import useq

from napari_scope.acquire import CoreOwner, Output, Run, next_free_name, output_path


def main() -> None:
    """Take two positions, three times, two channels and five planes."""
    folder = sys.argv[1] if len(sys.argv) > 1 else "acquired"
    plan = useq.MDASequence(
        stage_positions=[
            useq.Position(x=0, y=0, z=0, name="left"),
            useq.Position(x=600, y=0, z=0, name="right"),
        ],
        time_plan=useq.TIntervalLoops(interval=1, loops=3),
        channels=[
            useq.Channel(config="DAPI", exposure=20),
            useq.Channel(config="FITC", exposure=50),
        ],
        z_plan=useq.ZRangeAround(range=4, step=1),
        axis_order="tpcz",
    )
    name = next_free_name(folder, "cells", ["ome-zarr", "ndtiff"])
    outputs = [
        Output(output_path(folder, name, "ome-zarr"), "ome-zarr"),
        Output(output_path(folder, name, "ndtiff"), "ndtiff"),
    ]
    with CoreOwner() as owner:
        owner.load()  # owner.load("my-microscope.cfg")
        run = Run(owner, plan, outputs, on_error="skip").start()
        while not run.done:
            progress = run.progress()
            print(f"{progress.state.value}: {progress.saved} frames saved")
            time.sleep(0.5)
        report = run.wait()  # raises what ended the run, if anything did

    print(f"{report.state.value}: {report.saved} frames saved")
    for frame in report.skipped:
        print(f"skipped {dict(frame.axes)}: {frame.reason}")
    for output in report.outputs:
        print(output.path)


if __name__ == "__main__":
    main()
