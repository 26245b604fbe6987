"""The log dock: what our program, pymmcore-plus and the core of the microscope say."""
