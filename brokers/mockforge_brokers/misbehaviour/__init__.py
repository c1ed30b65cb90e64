"""To misbehave on purpose: rules and holds as data, and the lane in which they meet the frames."""
