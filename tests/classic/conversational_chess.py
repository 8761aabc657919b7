"""Two players who talk, and a board that knows the rules: only legal moves come through."""

from collections import defaultdict

import chess
import chess.svg
from IPython.display import SVG, display

from jupyter_agents import AssistantAgent, ResponsiveAgent, config_list_from_json

config_list = config_list_from_json("OAI_CONFIG_LIST")
TO_UCI = "You read what a chess player says. Answer with the move alone, in UCI notation."
PLAY = "Your name is {name} and you play the {color} pieces against {opponent}. Move first, then chat a little."


class BoardAgent(AssistantAgent):
    board: chess.Board
    correct_move_messages: dict

    def __init__(self, board):
        super().__init__(
            name="BoardAgent",
            system_message=TO_UCI,
            llm_config={"temperature": 0.0, "config_list": config_list},
            max_consecutive_auto_reply=10,
        )
        self.register_auto_reply(ResponsiveAgent, BoardAgent._generate_board_reply)
        self.board = board
        self.correct_move_messages = defaultdict(list)

    def _generate_board_reply(self, messages=None, sender=None, config=None):
        message = messages[-1]
        # the others are asked what the move is: this function only, is left out
        reply = self.generate_reply(
            self.correct_move_messages[sender] + [message], sender, exclude=[BoardAgent._generate_board_reply]
        )
        uci_move = reply if isinstance(reply, str) else str(reply["content"])
        try:
            self.board.push_uci(uci_move)
        except ValueError as e:
            return True, f"Error: {e}"
        display(SVG(chess.svg.board(self.board, arrows=[], size=200)))
        self.correct_move_messages[sender].extend([message, self._message_to_dict(uci_move)])
        self.correct_move_messages[sender][-1]["role"] = "assistant"
        return True, uci_move


class ChessPlayerAgent(AssistantAgent):
    def __init__(self, color, board_agent, max_turns):
        opponent = "black" if color == "white" else "white"
        super().__init__(
            name=f"Player {color}",
            system_message=PLAY.format(name=f"Player {color}", color=color, opponent=f"Player {opponent}"),
            max_consecutive_auto_reply=max_turns,
            llm_config={"temperature": 0.5, "seed": 1, "config_list": config_list},
        )
        self.register_auto_reply(BoardAgent, ChessPlayerAgent._generate_reply_for_board, config=board_agent.board)
        self.register_auto_reply(ChessPlayerAgent, ChessPlayerAgent._generate_reply_for_player, config=board_agent)
        self.update_max_consecutive_auto_reply(board_agent.max_consecutive_auto_reply(), board_agent)

    def _generate_reply_for_board(self, messages=None, sender=None, config=None):
        board = config
        board_state_msg = [{"content": f"Current board:\n{board}", "role": "system"}]
        last_message = messages[-1]
        if last_message["content"].startswith("Error"):
            # a correction by the board is an instruction, not what the other player says
            last_message["role"] = "system"
            return True, self.generate_reply(
                messages + board_state_msg, sender, exclude=[ChessPlayerAgent._generate_reply_for_board]
            )
        return True, None

    def _generate_reply_for_player(self, messages=None, sender=None, config=None):
        board_agent = config
        board_state_msg = [{"content": f"Current board:\n{board_agent.board}", "role": "system"}]
        message = self.generate_reply(
            messages + board_state_msg, sender, exclude=[ChessPlayerAgent._generate_reply_for_player]
        )
        if message is None:
            return True, None
        self.initiate_chat(board_agent, clear_history=False, message=message, silent=self.human_input_mode == "NEVER")
        # the board has the last word, which is a move; before it stands what was said to make it
        if self._oai_messages[board_agent][-1]["role"] == "assistant":
            return True, None
        return True, self._oai_messages[board_agent][-2]


board = chess.Board()
board_agent = BoardAgent(board)
player_white = ChessPlayerAgent("white", board_agent, max_turns=2)
player_black = ChessPlayerAgent("black", board_agent, max_turns=2)
result = player_black.initiate_chat(player_white, message="Your turn.")
