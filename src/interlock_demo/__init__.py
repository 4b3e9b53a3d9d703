"""The other side of the demo: a small company in a database of its own, its tools, its tickets and a scripted agent.

Nothing here knows Interlock: the tools are what a company already has, and the agent speaks to any `Door`.
"""
