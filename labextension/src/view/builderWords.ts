/** What the parts of an agent builder are called on its page, and who can be in a group. */

import type { ITyped } from './builderDrafts';
import { kindName } from './builderForm';
import type { IListed } from './builderList';
import type { IPick } from './builderPicks';
import type { IAgentFacts, ICreated, IDraft, IGroupDraft, IKindFacts } from './builderProtocol';
import { translations } from './strings';

/** Agents, and then groups, which are made of them. */
export function listedOf(typed: ITyped, kinds: readonly IKindFacts[]): IListed[] {
  const { __ } = translations();
  const kind = (draft: IDraft): string => {
    const facts = kinds.find(one => one.id === draft.kind);
    return facts ? kindName(facts) : draft.kind;
  };
  return [
    ...typed.drafts.map(one => ({ id: one.id, name: one.name, kind: kind(one), isGroup: false })),
    ...typed.groups.map(one => ({ id: one.id, name: one.name, kind: __('Group'), isGroup: true }))
  ];
}

/** Who can be in a group: what stands above it in the form, and agents of the notebook. */
export function picksFor(
  group: IGroupDraft,
  listed: readonly IListed[],
  there: readonly IAgentFacts[]
): IPick[] {
  const { __ } = translations();
  const here = listed.slice(
    0,
    listed.findIndex(one => one.id === group.id)
  );
  return [
    ...here.map(one => ({
      key: `draft:${one.id}`,
      name: one.name.trim() || __('(no name)'),
      about: one.kind
    })),
    ...there.map(one => ({
      key: `variable:${one.variable}`,
      name: one.name,
      about: __('%1, in the notebook as %2', one.class_name, one.variable)
    }))
  ];
}

export function createdText(answer: ICreated): string {
  const { __, _n } = translations();
  const created = _n(
    'Created %2. It is in the notebook now.',
    'Created %2. They are in the notebook now.',
    answer.variables.length,
    answer.variables.join(', ')
  );
  const outdated = answer.outdated.join(', ');
  return outdated
    ? `${created} ${__('%1 still has the agents as they were before: create it anew.', outdated)}`
    : created;
}
