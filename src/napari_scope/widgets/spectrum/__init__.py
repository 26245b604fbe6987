"""The Spectra dock: spectra and ion images of mass-spectrometry images."""
