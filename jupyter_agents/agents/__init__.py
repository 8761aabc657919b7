"""The agents: what they remember, how they choose a reply, and the kinds there are."""
