"""The command language: one registry of typed commands behind prompt, keys, scripts and HTTP."""
