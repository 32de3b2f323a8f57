"""Run one completion: queue, wait for loading, stream, record usage."""
