"""The Devices dock and its parts: configuration, camera, presets, properties.

The widgets of pymmcore-widgets are used with their sharp edges taken off by small
subclasses. All of them read through `TableCore`, which asks no device, and set through
`GuiCore`, whose setters return at once. This is the list of what is mended:

`preset_box.PresetBox`
    Building a ``PresetsWidget`` deletes properties from presets that differ from the
    first one; an empty preset raises; turning the wheel over it changes the microscope.
`preset_box.ChannelGroupBox`
    It sizes itself; the wheel.
`group_table.GroupTable`
    "Load cfg" and "Save cfg" work in the GUI thread; one group that cannot be shown
    ends the table; defining a preset for a group of one property raises; buttons have
    no names; its dialogs write black on a dark ground.
`property_table.PropertyBox`, `property_table.PropertyTable`
    Reads every device in the GUI thread when built; an integer of more than 32 bits
    raises; 500 pixels wide at least; fixed greys; unlocking enables what must not be
    changed; a row without an editor breaks locking.
`shutter_box.ShutterBox`
    Asks the shutter in the GUI thread; warns of one that went with its configuration.
`roi_box.RoiBox`
    Takes the present region for the whole chip; message boxes; ``KeyError`` for the
    region of another camera; fails without a camera; wrong after binning.
`pixel_size_editor.PixelSizeEditor`
    Rounds pixel sizes and transforms to three decimals when applied; black on a dark
    ground.
`device_tools`
    The configuration wizard and the installer block for long, and load devices as they
    go: they run in a process of their own.

``StandardIcon.for_device_type`` asks the global core where it is given the label of a
device; these widgets give it a type.
"""
