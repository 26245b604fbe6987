"""Images and labels written whole, beside their place and then moved there."""
