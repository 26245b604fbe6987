"""The Devices dock and its parts: configuration, camera, presets, properties."""
