"""What the docks share: the microscope, errors, icons, what is remembered."""
