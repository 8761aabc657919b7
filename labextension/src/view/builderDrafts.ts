/** What is typed in an agent builder, and what becomes of it when agents and groups are added, copied and removed. */

import type { IDraft, IGroupDraft } from './builderProtocol';

export interface ITyped {
  readonly drafts: readonly IDraft[];
  readonly groups: readonly IGroupDraft[];
}

export function blankDraft(id: string): IDraft {
  const texts = {
    basis: '',
    kind: '',
    name: '',
    variable: '',
    description: '',
    model_name: '',
    kept_model: ''
  };
  const choices = { system_message: null, model: null, human_input_mode: null, code: null };
  return { id, ...texts, ...choices, work_dir: '', timeout: '', max_replies: '', tools: {} };
}

export function blankGroup(id: string): IGroupDraft {
  const texts = { name: '', variable: '', max_round: '', admin: '', transitions: '', model_name: '' };
  return { id, ...texts, members: [], method: 'auto', graph: {}, introductions: false, model: null };
}

/** Whether the same is typed, whatever the order of the fields. */
export function areEqual(one: ITyped, other: ITyped): boolean {
  const words = ({ drafts, groups }: ITyped): string => JSON.stringify([...drafts, ...groups].map(sorted));
  return words(one) === words(other);
}

function sorted(draft: IDraft | IGroupDraft): [string, unknown][] {
  return Object.entries(draft).sort(([one], [other]) => (one < other ? -1 : 1));
}

/** A name like this one that nothing else has. */
export function freeName(name: string, taken: ReadonlySet<string>): string {
  let [found, n] = [name, 2];
  for (; taken.has(found); n += 1) {
    found = `${name.replace(/_\d+$/, '')}_${n}`;
  }
  return found;
}

/** Put something behind another thing of a list; at its end, if that is not in it. */
export function insertAfter<T>(list: readonly T[], before: T, added: T): readonly T[] {
  const at = list.includes(before) ? list.indexOf(before) + 1 : list.length;
  return [...list.slice(0, at), added, ...list.slice(at)];
}

/** Take an agent or a group out of the form, and out of the groups in it. */
export function without(typed: ITyped, id: string): ITyped {
  const groups = typed.groups.filter(one => one.id !== id);
  return {
    drafts: typed.drafts.filter(one => one.id !== id),
    groups: groups.map(one => withoutMember(one, `draft:${id}`))
  };
}

/**
 * A group with one more member, who may speak after all the others, and they after it. Members stand in the group as
 * they stand in the list of those who can be in it: that is the order of their turns.
 */
export function withMember(group: IGroupDraft, key: string, order: readonly string[]): IGroupDraft {
  const members = order.filter(one => one === key || group.members.includes(one));
  if (group.transitions !== 'allowed') {
    return { ...group, members };
  }
  const before = group.members.map(one => [one, [...(group.graph[one] ?? []), key]] as const);
  return { ...group, members, graph: { ...Object.fromEntries(before), [key]: [...group.members] } };
}

/** A group without one of its members, of whom nothing is left. */
export function withoutMember(group: IGroupDraft, member: string): IGroupDraft {
  if (!group.members.includes(member)) {
    return group;
  }
  const others = (members: readonly string[]): string[] => members.filter(one => one !== member);
  const rows = Object.entries(group.graph).filter(([one]) => one !== member);
  return {
    ...group,
    members: others(group.members),
    admin: group.admin === member ? '' : group.admin,
    graph: Object.fromEntries(rows.map(([one, after]) => [one, others(after)]))
  };
}

/** With an agent that was loaded: in groups, too, it is the one of this form from now on. */
export function withLoaded(typed: ITyped, draft: IDraft, variable: string): ITyped {
  const replaced = typed.drafts.filter(one => one.variable === variable || isUntouched(typed, one));
  const left = replaced.reduce((rest, one) => without(rest, one.id), typed);
  const groups = left.groups.map(one => renamed(one, `variable:${variable}`, `draft:${draft.id}`));
  return { drafts: [...left.drafts, draft], groups };
}

/** Whether it is the agent that the form begins with: loading another one takes its place. */
function isUntouched(typed: ITyped, draft: IDraft): boolean {
  const begun = { ...blankDraft(draft.id), kind: 'assistant', name: 'assistant' };
  return areEqual(typed, { drafts: [begun], groups: [] });
}

/** Another name for a member. */
function renamed(group: IGroupDraft, before: string, after: string): IGroupDraft {
  const name = (one: string): string => (one === before ? after : one);
  const graph = Object.entries(group.graph).map(([one, others]) => [name(one), others.map(name)] as const);
  return {
    ...group,
    members: group.members.map(name),
    admin: name(group.admin),
    graph: Object.fromEntries(graph)
  };
}

/** Whether one member may speak after another. */
export function mayFollow(group: IGroupDraft, one: string, other: string): boolean {
  if (group.transitions === 'allowed' || group.transitions === 'disallowed') {
    return (group.graph[one] ?? []).includes(other) === (group.transitions === 'allowed');
  }
  return group.transitions !== 'no_repeat' || one !== other;
}

/** Other transitions, which at first say the same as those before. */
export function withTransitions(group: IGroupDraft, transitions: string): IGroupDraft {
  const listsThose = transitions === 'allowed';
  const row = (one: string): [string, string[]] => [
    one,
    group.members.filter(other => mayFollow(group, one, other) === listsThose)
  ];
  const hasGraph = listsThose || transitions === 'disallowed';
  return { ...group, transitions, graph: hasGraph ? Object.fromEntries(group.members.map(row)) : {} };
}
