"""Long runs that look for memory that grows and messages that are lost; not part of CI."""
