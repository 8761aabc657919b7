/**
 * What the kernel and a page say to each other about a chat. `jupyter_agents/widgets/protocol.py` is the other side;
 * `tests/test_protocol.py` holds the two together.
 *
 * The kernel has one `State` of a chat and sends changes (`Op`) of it in numbered patches: within a thirtieth of a second,
 * and text that grows seven times a second. A page keeps them all, for each view that is drawn there; when it misses a
 * number, and at first, it asks for the whole state. Nothing here is a synced trait: traits are saved in notebooks, and
 * what a person types must not be.
 */

export const MESSAGE_MIME = 'application/vnd.jupyter-agents.message+json';

/** An output: data by MIME type. */
export interface IBundle {
  readonly data: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Something finished that a view shows: a message, a note, an end (`bundle`), or what code showed (`output`). */
export interface IItem {
  readonly id: number;
  readonly kind: 'bundle' | 'output';
  readonly bundle: IBundle;
}

/** A reply that is still being written. `colour` is the ordinal of the speaker (see `speakers.ts`). */
export interface ILiveTurn {
  readonly sender: string;
  readonly recipient: string;
  readonly colour: number;
  /** How deep its chat is nested. */
  readonly depth: number;
  /** What its chat is called where others go on beside it. */
  readonly label: string;
  /** Which chat of the cell it is said in. */
  readonly talk: number;
  readonly text: string;
}

/** What goes on now. `elapsed` is in seconds at the time of sending; `remaining` counts down to a retry. */
export interface IActivity {
  readonly kind: 'model' | 'code' | 'tool' | 'retry' | 'queue' | 'person';
  readonly agent: string;
  /** The tool, the language or the reason. */
  readonly what: string;
  readonly elapsed: number;
  readonly remaining: number | null;
}

/** Somebody has paused the chat. `agent` is at it next, where that is known, and `next` is what it does. */
export interface IPause {
  /** It comes to rest when what is under way has ended, rests, or says one more message. */
  readonly phase: 'pausing' | 'paused' | 'stepping';
  readonly agent: string;
  readonly next: '' | 'reply' | 'code' | 'tool' | 'person';
}

/** What is known of a code block before it runs. The lists are names of the user's variables. */
export interface ICodeFacts {
  readonly reads: readonly string[];
  readonly sets: readonly string[];
  readonly deletes: readonly string[];
  /** Notes on what it may do outside ("writes files", "starts processes"): notes, not protection. */
  readonly notes: readonly string[];
}

/** A question to a person. */
export interface IQuestion {
  /** Begins with the id of the widget's model: no two chats have questions of one id. */
  readonly id: string;
  readonly kind: 'text' | 'choice' | 'approval';
  readonly text: string;
  /** The seat: the agent for whom the person answers. */
  readonly agent: string;
  /** Who spoke last, or wrote the code. */
  readonly sender: string;
  readonly choices: readonly string[];
  readonly code: string;
  readonly language: string;
  readonly facts: ICodeFacts | null;
  /** What is taken when `remaining` seconds have passed without an answer. */
  readonly otherwise: string;
  readonly remaining: number | null;
  /**
   * What an empty answer means: it is sent as it is, it asks for the automatic reply, or it ends the chat. Except with
   * `send`, the word `exit` ends the chat: the meanings of the classic prompt.
   */
  readonly empty: 'send' | 'auto' | 'end';
}

/** How a question was answered. To a `text` or `choice`: `reply`; to an `approval`: the other four. */
export interface IAnswer {
  readonly action: 'reply' | 'run' | 'edit' | 'reject' | 'stop';
  readonly text: string;
  /** Run this very text again without asking, for as long as the kernel lives. */
  readonly always?: boolean;
  /** Names of variables whose values go with a reply. */
  readonly attached?: readonly string[];
}

/** All that a view of a chat shows. */
export interface IState {
  readonly items: readonly IItem[];
  readonly live: ILiveTurn | null;
  readonly activity: IActivity | null;
  readonly questions: readonly IQuestion[];
  /** Items before the first one here, which the page may ask for. */
  readonly earlier: number;
  /** Whether Stop can be pressed: a chat is going on. */
  readonly is_going_on: boolean;
  /** Which chat of its cell it is. */
  readonly talk: number;
  readonly pause: IPause | null;
  /** A chat box: people may write at any time; the names of those who can be addressed, the first by default. */
  readonly composer: IComposer | null;
}

export interface IComposer {
  readonly agents: readonly string[];
  readonly is_busy: boolean;
}

/** A change of the state. */
export type Op =
  | { readonly op: 'text'; readonly text: string } // the reply has grown
  | { readonly op: 'set'; readonly values: Partial<IState> }
  | { readonly op: 'item'; readonly item: IItem } // one more, or another one in place of that with this id
  | { readonly op: 'stream'; readonly id: number; readonly text: string } // an output of text has grown
  | { readonly op: 'slot' }; // a new output begins: a view in it shows the items that come from now on

/** From the kernel. */
export type FromKernel =
  /**
   * All there is, to a page, or `null` for all. `slot` counts the items before the slot that is live; `null` for a page
   * that was loaded later: it gets no outputs of a cell that runs, so all its views show all there is.
   */
  | {
      readonly t: 'state';
      readonly seq: number;
      readonly to: string | null;
      readonly slot: number | null;
      readonly state: IState;
    }
  | { readonly t: 'patch'; readonly seq: number; readonly ops: readonly Op[] }
  /** Are you there? `seq` is the last patch that was sent: a page that has not got it asks for the state. */
  | { readonly t: 'ping'; readonly seq: number }
  /** A question is closed: by this view, by another one (`by`), or by nobody (the chat went on without). */
  | { readonly t: 'closed'; readonly id: string; readonly by: string | null }
  /** The slot is about to be replaced by its static form; keep its height for a moment. */
  | { readonly t: 'leaving' }
  /** The answer to a `look`. */
  | { readonly t: 'seen'; readonly ask: number; readonly names: readonly IName[]; readonly text: string }
  /** The answer to an `undo`. */
  | { readonly t: 'undone'; readonly block: string; readonly undone: IUndone };

/** A variable of the user, as completion shows it. */
export interface IName {
  readonly name: string;
  readonly kind: string;
}

/** What undoing a block did: the names that are as they were, and by name why others are not. */
export interface IUndone {
  readonly restored: readonly string[];
  readonly left: Readonly<Record<string, string>>;
  /** Why nothing was done at all. */
  readonly reason: string;
}

/** To the kernel. `view` is an id that a view makes for itself, `page` one of the page. */
export type ToKernel =
  | { readonly t: 'hello'; readonly page: string }
  /** `views` is how many are drawn now. */
  | { readonly t: 'pong'; readonly page: string; readonly views: number }
  /** Send the state, from the item `first` on (`null`: the first one of the slot that is live), or from the very first. */
  | {
      readonly t: 'sync';
      readonly page: string;
      readonly views: number;
      readonly first: number | null;
      readonly earlier: boolean;
    }
  | { readonly t: 'answer'; readonly view: string; readonly id: string; readonly answer: IAnswer }
  | { readonly t: 'stop'; readonly view: string }
  | { readonly t: 'interrupt'; readonly view: string }
  | { readonly t: 'pause'; readonly view: string }
  | { readonly t: 'resume'; readonly view: string }
  /** One more message, from rest. */
  | { readonly t: 'step'; readonly view: string }
  | { readonly t: 'undo'; readonly view: string; readonly block: string }
  | {
      readonly t: 'say';
      readonly view: string;
      readonly to: string;
      readonly text: string;
      readonly attached: readonly string[];
    }
  /** Variables whose names begin so (`prefix`), or what a message with these `attached` will hold (`text`). */
  | {
      readonly t: 'look';
      readonly view: string;
      readonly ask: number;
      readonly prefix: string | null;
      readonly text: string;
      readonly attached: readonly string[];
    };
