"""Where a hierarchy lies: a folder, a zip file, a web server, S3."""
