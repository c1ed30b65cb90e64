"""What became of one message: from the frames of the journal, a file a protocol."""
