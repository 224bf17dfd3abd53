"""LangGraph state machines: one file a graph, thin nodes, one state file."""
