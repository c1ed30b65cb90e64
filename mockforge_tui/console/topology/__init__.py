"""Who sends to whom through which topics, exchanges and queues: a graph, from views and rows."""
