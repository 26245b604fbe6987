"""OpenMSI HDF5: cubes and sparse spectra, their metadata and dependencies."""
