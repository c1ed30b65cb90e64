"""Why somebody gets nothing: rules of each protocol over what its broker shows of itself."""
