"""A person, a coder and a scientist in one group, in which a model gives the word."""

from jupyter_agents import AssistantAgent, GroupChat, GroupChatManager, UserProxyAgent, config_list_from_json

llm_config = {"config_list": config_list_from_json("OAI_CONFIG_LIST"), "seed": 42}

human = UserProxyAgent(
    name="Human",
    system_message="A person who leads.",
    code_execution_config={"last_n_messages": 2, "work_dir": "groupchat"},
    human_input_mode="ALWAYS",
)
alice = AssistantAgent(name="Alice", system_message="She writes code.", llm_config=llm_config)
bob = AssistantAgent(
    name="Bob", system_message="A scientist, who judges what papers are good for.", llm_config=llm_config
)
groupchat = GroupChat(agents=[human, alice, bob], messages=[], max_round=12)
manager = GroupChatManager(groupchat=groupchat, llm_config=llm_config)

result = human.initiate_chat(manager, message="Find the latest paper in papers.xml, and say what it could be used for.")
