import '../lib/agents.css'; // made by build-style.mjs out of the style sheets here
