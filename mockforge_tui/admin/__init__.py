"""The admin interface over HTTP: health, metrics and the command language."""
