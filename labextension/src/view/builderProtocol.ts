/**
 * What the page of an agent builder and the kernel say to each other. `jupyter_agents/widgets/_builder_protocol.py` is
 * the other side; `tests/test_builder.py` holds the two together. The page is the source of what is typed; problems,
 * code and objects come from the kernel.
 */

export const BUILDER_PROTOCOL = 2;

/** An agent as it is typed. `null` (and `''` in a field that takes a number) leaves it to the kind of agent. */
export interface IDraft {
  readonly id: string;
  /** What the kernel keeps of the agent that was loaded. */
  readonly basis: string;
  readonly kind: string;
  readonly name: string;
  readonly variable: string;
  readonly description: string;
  readonly system_message: string | null;
  /** `default`, `none`, `named` or `kept`. */
  readonly model: string | null;
  readonly model_name: string;
  /** The model of the loaded agent in words, without keys; `''` where its name says all. */
  readonly kept_model: string;
  readonly human_input_mode: string | null;
  /** `off`, `ask`, `auto` or `deny`. */
  readonly code: string | null;
  readonly work_dir: string;
  readonly timeout: string;
  readonly max_replies: string;
  /** Expressions of functions, by the name under which a model calls them. */
  readonly tools: Readonly<Record<string, string>>;
}

/**
 * A group as it is typed, and its manager, whose name and variable these are. A member is `draft:ID`, an agent or group of
 * this form, or `variable:NAME`, an agent of the namespace.
 */
export interface IGroupDraft {
  readonly id: string;
  readonly name: string;
  readonly variable: string;
  readonly members: readonly string[];
  /** `auto`, `round_robin`, `random` or `manual`. */
  readonly method: string;
  readonly max_round: string;
  readonly admin: string;
  /** Anybody after anybody (`''`), `no_repeat`, or what `graph` says: `allowed` or `disallowed`. */
  readonly transitions: string;
  readonly graph: Readonly<Record<string, readonly string[]>>;
  readonly introductions: boolean;
  /** `default`, `none` or `named`. */
  readonly model: string | null;
  readonly model_name: string;
}

/** Something to say about a field of a draft (`''`: the whole of it). A note does not keep it from being created. */
export interface IProblem {
  readonly draft: string;
  readonly field: string;
  readonly text: string;
  readonly is_note: boolean;
}

/** A kind of agent, and what its fields hold as long as nobody says otherwise. */
export interface IKindFacts {
  readonly id: string;
  readonly class_name: string;
  readonly system_message: string;
  readonly model: string;
  readonly human_input_mode: string;
  readonly code: string;
  readonly max_replies: number;
}

/** An agent of the namespace. `why` says why it cannot be loaded, if it cannot. */
export interface IAgentFacts {
  readonly variable: string;
  readonly name: string;
  readonly class_name: string;
  readonly why: string;
}

/** A function or tool of the namespace, and how a model calls it. `untyped` are its parameters without a type hint. */
export interface IFunctionFacts {
  readonly name: string;
  readonly called: string;
  readonly signature: string;
  readonly doc: string;
  readonly untyped: readonly string[];
  readonly is_own: boolean;
}

/** The name of a model, and from where it is known. */
export interface IModelFacts {
  readonly name: string;
  readonly source: 'configured' | 'environment' | 'agent' | 'local';
}

/** What the namespace and the settings hold. `default_model` is what agents without one are answered by. */
export interface IPlace {
  readonly agents: readonly IAgentFacts[];
  readonly functions: readonly IFunctionFacts[];
  readonly models: readonly IModelFacts[];
  readonly default_model: string;
}

/** A group that is valid: who is in it, who may speak after whom (pairs of names), and whom it asks in their seats. */
export interface IGroupFacts {
  readonly names: readonly string[];
  readonly edges: readonly (readonly string[])[];
  readonly words: string;
  readonly seats: readonly string[];
}

/** An agent that would be replaced, or a group, which has no name. `talks` is with how many others it remembers a talk. */
export interface IReplaced {
  readonly variable: string;
  readonly name: string;
  readonly class_name: string;
  readonly talks: number;
}

/** The answer to `hello`: all that a page needs. */
export interface IForm {
  readonly t: 'form';
  readonly to: string;
  readonly version: number;
  readonly kinds: readonly IKindFacts[];
  readonly place: IPlace;
  readonly drafts: readonly IDraft[];
  readonly groups: readonly IGroupDraft[];
}

/** The namespace holds something else, for everybody. */
export interface IPlaceChanged {
  readonly t: 'place';
  readonly place: IPlace;
}

/** The answer to `check`. `variables` are those that drafts will have; `left_out` those that the code lacks. */
export interface IChecked {
  readonly t: 'checked';
  readonly to: string;
  readonly ask: number;
  readonly problems: readonly IProblem[];
  readonly variables: Readonly<Record<string, string>>;
  readonly code: string;
  readonly left_out: readonly string[];
  readonly groups: Readonly<Record<string, IGroupFacts>>;
}

/** The answer to `create` where an agent would be replaced. */
export interface IAsks {
  readonly t: 'asks';
  readonly to: string;
  readonly ask: number;
  readonly replaced: readonly IReplaced[];
}

/**
 * The answer to `create`: the variables that hold what is new; none where there are problems. `outdated` are those of
 * groups in which agents are that have been replaced.
 */
export interface ICreated {
  readonly t: 'created';
  readonly to: string;
  readonly ask: number;
  readonly variables: readonly string[];
  readonly outdated: readonly string[];
}

/** The answer to `load`: a draft, or why there is none. */
export interface ILoaded {
  readonly t: 'loaded';
  readonly to: string;
  readonly ask: number;
  readonly draft: IDraft | null;
  readonly why: string;
}

/** The answer to `find_models`: what a server on this machine offers; `server` is empty where there is none. */
export interface IFound {
  readonly t: 'found';
  readonly to: string;
  readonly ask: number;
  readonly server: string;
  readonly names: readonly string[];
}

/** The answer to a request that could not be understood or carried out. */
export interface IFailed {
  readonly t: 'failed';
  readonly to: string;
  readonly ask: number;
  readonly why: string;
}

export type FromBuilder = IForm | IPlaceChanged | IChecked | IAsks | ICreated | ILoaded | IFound | IFailed;

/** A view is there. */
export interface IHello {
  readonly t: 'hello';
  readonly view: string;
  readonly version: number;
}

/** A view is gone. */
export interface IBye {
  readonly t: 'bye';
  readonly view: string;
}

/** This is what is typed now. */
export interface ICheck {
  readonly t: 'check';
  readonly view: string;
  readonly ask: number;
  readonly drafts: readonly IDraft[];
  readonly groups: readonly IGroupDraft[];
}

/** Make the agent or group of one draft (`which`), or all. `replace` are the variables of what may be replaced. */
export interface ICreate {
  readonly t: 'create';
  readonly view: string;
  readonly ask: number;
  readonly drafts: readonly IDraft[];
  readonly groups: readonly IGroupDraft[];
  readonly which: string | null;
  readonly replace: readonly string[];
}

/** Give back an agent of the namespace as a draft. */
export interface ILoad {
  readonly t: 'load';
  readonly view: string;
  readonly ask: number;
  readonly variable: string;
}

/** Look for a model server on this machine. */
export interface IFindModels {
  readonly t: 'find_models';
  readonly view: string;
  readonly ask: number;
}

export type ToBuilder = IHello | IBye | ICheck | ICreate | ILoad | IFindModels;
