/**
 * A rule for ESLint: every word that a person sees or hears goes through `translations()`.
 *
 * Two kinds of strings are reported. One reaches the page: it becomes text, or an attribute that is read aloud or shown, at
 * once or by way of a constant, a condition or a function of the same file. The other reads like words wherever it stands: it may
 * get to the page by ways that nobody can follow. What is in `__(…)` and `_n(…)` is well, and so is an `Error`: no view
 * shows one. What is a name, or what the kernel says, has a comment that turns the rule off and says so.
 */

const TRANSLATES = new Set(['__', '_n']);
/** The functions of `dom.ts`: which of their arguments are words. */
const MAKES = { h: given => given.slice(2), button: given => given.slice(0, 1) };
/** Methods all of whose strings become text nodes. */
const INSERTS = new Set(['append', 'prepend', 'replaceChildren', 'replaceWith', 'createTextNode']);
const SHOWN_PROPERTIES = new Set([
    'textContent',
    'innerText',
    'nodeValue',
    'title',
    'placeholder',
    'alt',
    'label',
    'ariaLabel',
    'caption'
]);
const SHOWN_ATTRIBUTES = new Set(['title', 'placeholder', 'alt', 'label']);
const SHOWN_ARIA = /^aria-(label|description|roledescription|placeholder|valuetext|braille\w+)$/;
/** What is asked for by strings that no person sees. */
const ASKS =
    /^(querySelector(All)?|closest|matches|add|remove|toggle|contains|has|get|getPropertyValue|addEventListener|matchMedia)$/;

const LETTERS = /\p{L}{2}/u;
/** A capital and small letters, or two words with nothing but a space between them. */
const STYLE = /\bjp-agents-|\.jp-/;
const WORDS = /^\p{Lu}\p{Ll}+(?![\p{L}\p{N}_$-])|\p{L}{2,}[.:;]? \p{L}/u;

export const translatedWords = {
    meta: {
        type: 'problem',
        docs: { description: 'Every visible word goes through translations().' },
        schema: [],
        messages: {
            shown: 'Give {{words}} to translations(): it is seen on the page or read aloud there.',
            words: 'Give {{words}} to translations(), or turn the rule off with the reason: it reads like words.'
        }
    },
    create: context => new Words(context).visitors()
};

class Words {
    #context;
    #reported = new Set();

    constructor(context) {
        this.#context = context;
    }

    visitors() {
        return {
            CallExpression: node => this.#call(node),
            NewExpression: node => node.callee.name === 'Option' && this.#shown(node.arguments[0]),
            AssignmentExpression: node => SHOWN_PROPERTIES.has(nameOf(node.left)) && this.#shown(node.right),
            Property: node => SHOWN_PROPERTIES.has(keyOf(node)) && this.#shown(node.value),
            PropertyDefinition: node => SHOWN_PROPERTIES.has(keyOf(node)) && this.#shown(node.value),
            Literal: node => this.#anywhere(node, String(node.value)),
            TemplateElement: node => this.#anywhere(node, node.value.cooked ?? '')
        };
    }

    #call(node) {
        const [name, given] = [nameOf(node.callee), node.arguments];
        if (node.callee.type === 'Identifier' && Object.hasOwn(MAKES, name)) {
            MAKES[name](given).forEach(one => this.#shown(one));
            this.#attributes(given[1]);
        } else if (node.callee.type === 'MemberExpression' && INSERTS.has(name)) {
            given.forEach(one => this.#shown(one));
        } else if (name === 'setAttribute' && isShown(given[0]?.value)) {
            this.#shown(given[1]);
        } else if (name === 'insertAdjacentText') {
            this.#shown(given[1]);
        }
    }

    #attributes(node) {
        (node?.properties ?? []).filter(one => isShown(keyOf(one))).forEach(one => this.#shown(one.value));
    }

    /** Report what an expression may come to, as far as it is in this file. */
    #shown(node, seen = new Set()) {
        if (!node || seen.has(node)) {
            return;
        }
        seen.add(node);
        if (node.type === 'Literal' && typeof node.value === 'string' && LETTERS.test(node.value)) {
            this.#report(node, node.value, 'shown');
        } else if (node.type === 'TemplateElement' && LETTERS.test(node.value.cooked ?? '')) {
            this.#report(node, node.value.cooked, 'shown');
        }
        this.#sources(node).forEach(one => this.#shown(one, seen));
    }

    /** The expressions of which one comes to another. */
    #sources(node) {
        switch (node.type) {
            case 'TemplateLiteral':
                return [...node.quasis, ...node.expressions];
            case 'ConditionalExpression':
                return [node.consequent, node.alternate];
            case 'LogicalExpression':
                return [node.left, node.right];
            case 'BinaryExpression':
                return node.operator === '+' ? [node.left, node.right] : [];
            case 'ArrayExpression':
                return node.elements;
            case 'SpreadElement':
                return [node.argument];
            case 'TSAsExpression':
            case 'TSNonNullExpression':
            case 'TSSatisfiesExpression':
            case 'ChainExpression':
                return [node.expression];
            case 'ObjectExpression':
                return node.properties.map(one => one.value ?? one.argument);
            case 'MemberExpression': // an entry of a table, or a part of one
                return [node.object];
            case 'Identifier':
                return this.#values(node);
            case 'CallExpression':
                return this.#given(node);
            default:
                return [];
        }
    }

    #given(node) {
        const { callee } = node;
        if (TRANSLATES.has(nameOf(callee))) {
            return [];
        }
        if (callee.type === 'MemberExpression') {
            return ['join', 'concat', 'filter', 'trim', 'slice'].includes(nameOf(callee))
                ? [callee.object]
                : [];
        }
        return callee.type === 'Identifier' ? this.#values(callee) : [];
    }

    /** What a constant is, or what a function of this file gives. */
    #values(name) {
        const [definition] = this.#variable(name)?.defs ?? [];
        if (definition?.type === 'FunctionName') {
            return returned(definition.node.body);
        }
        const isConstant = definition?.type === 'Variable' && definition.parent.kind === 'const';
        const made = isConstant && definition.node.id.type === 'Identifier' ? definition.node.init : null;
        if (made?.type === 'ArrowFunctionExpression') {
            return made.body.type === 'BlockStatement' ? returned(made.body) : [made.body];
        }
        return made ? [made] : [];
    }

    #variable(name) {
        for (let scope = this.#context.sourceCode.getScope(name); scope; scope = scope.upper) {
            if (scope.set.has(name.name)) {
                return scope.set.get(name.name);
            }
        }
        return null;
    }

    #anywhere(node, text) {
        const isString = node.type === 'TemplateElement' || typeof node.value === 'string';
        if (isString && WORDS.test(text) && !STYLE.test(text) && !isForNobody(node)) {
            this.#report(node, text, 'words');
        }
    }

    #report(node, text, messageId) {
        if (!this.#reported.has(node)) {
            this.#reported.add(node);
            this.#context.report({ node, messageId, data: { words: JSON.stringify(text) } });
        }
    }
}

/** Whether a string is translated, or names or asks for something instead of saying it. */
function isForNobody(node) {
    for (let [one, parent] = [node, node.parent]; parent; [one, parent] = [parent, parent.parent]) {
        if (isName(one, parent)) {
            return true;
        }
        if (/^(Call|New)Expression$/.test(parent.type) && parent.callee !== one) {
            return isCallForNobody(parent);
        }
        if (/Statement$|Declaration$|Function|Class/.test(parent.type)) {
            return false;
        }
    }
    return false;
}

function isCallForNobody({ callee, arguments: given }) {
    const name = nameOf(callee);
    const isAttribute = name === 'setAttribute' && !isShown(given[0]?.value);
    return isAttribute || TRANSLATES.has(name) || ASKS.test(name) || name.endsWith('Error');
}

function isName(node, parent) {
    switch (parent.type) {
        case 'ImportDeclaration':
        case 'ExportNamedDeclaration':
        case 'ExportAllDeclaration':
        case 'ImportExpression':
        case 'TSLiteralType':
        case 'SwitchCase':
            return true;
        case 'BinaryExpression':
            return /^[!=]==?$|^in$/.test(parent.operator);
        case 'Property':
            return parent.key === node || isNameOfProperty(parent);
        case 'MemberExpression':
            return parent.property === node;
        default:
            return false;
    }
}

/** What a plugin of JupyterLab is for is read before there is a language. */
function isNameOfProperty(node) {
    const isPlugin = node.parent.properties?.some(one => keyOf(one) === 'autoStart');
    return (
        ['class', 'rel', 'role', 'type'].includes(keyOf(node)) || (isPlugin && keyOf(node) === 'description')
    );
}

/** What the return statements of a function give; those of functions within it are not its own. */
function returned(node) {
    if (!node || typeof node.type !== 'string' || /Function/.test(node.type)) {
        return [];
    }
    if (node.type === 'ReturnStatement') {
        return node.argument ? [node.argument] : [];
    }
    const parts = Object.entries(node).filter(([name]) => name !== 'parent');
    return parts.flatMap(([, value]) => (Array.isArray(value) ? value : [value])).flatMap(returned);
}

function isShown(attribute) {
    return SHOWN_ATTRIBUTES.has(attribute) || SHOWN_ARIA.test(attribute ?? '');
}

function nameOf(node) {
    return node.type === 'MemberExpression' ? (node.property.name ?? '') : (node.name ?? '');
}

function keyOf(node) {
    return node.key?.name ?? node.key?.value;
}
