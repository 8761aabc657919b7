"""People, and who stands in for them: a keyboard prompt (`stdin`) and a script (`scripted`).

Which of them answers is the session's decision, made where a chat begins; a widget front end is one more answer to it.
"""
