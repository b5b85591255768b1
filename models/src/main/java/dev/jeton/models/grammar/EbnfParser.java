package dev.jeton.models.grammar;

/**
 * Reads grammars as llama.cpp and XGrammar write them (GBNF): {@code root ::= "a" [b-d]+ (rest | "")}. Where they
 * differ, what either takes is taken: rules may go over several lines, names may have dots within, and a dot by itself
 * is any character. Tokens, look-ahead, macros and attributes of rules are not supported.
 */
final class EbnfParser extends RuleParser {

    private static final String ROOT = "root";
    private static final String BEGINS = "::=";

    EbnfParser(String text) {
        super(text);
    }

    @Override
    Rules rules() {
        space();
        while (more()) {
            int from = at();
            String name = name();
            skipBlanks(false);
            if (name.isEmpty() || !take(BEGINS)) {
                throw error("a rule is expected, as in: root ::= \"yes\" | \"no\"", from);
            }
            define(name, from);
            space();
        }
        if (!defined(ROOT)) {
            throw error("there is no rule 'root', with which the text begins", at());
        }
        return rules(mention(ROOT, 0));
    }

    @Override
    void space() {
        skipBlanks(true);
        while (peek() == '#') {
            skipLine();
            skipBlanks(true);
        }
    }

    /** A name, which may be empty; a dot belongs to it where the name goes on behind. */
    private String name() {
        int from = at();
        while (nameCharacter(peek()) || peek() == '.' && at() > from && nameCharacter(peek(1))) {
            codePoint();
        }
        return since(from);
    }

    private static boolean nameCharacter(char c) {
        return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_';
    }

    @Override
    boolean definition() {
        int from = at();
        boolean named = !name().isEmpty();
        skipBlanks(false);
        boolean begins = named && take(BEGINS);
        back(from);
        if (begins && !firstInLine(from)) {
            throw error("a rule begins on a line of its own");
        }
        return begins;
    }

    @Override
    Expression atom() {
        int from = at();
        String name = name();
        if (!name.isEmpty()) {
            return new Expression.Call(mention(name, from));
        }
        if (take("(=")) {
            throw error("look-ahead is not supported", from);
        }
        if (take("(")) {
            return group(from, ")");
        }
        if (take("\"")) {
            return Expression.text(literal('"'));
        }
        if (take("[")) {
            return set(from);
        }
        if (take(".")) {
            return new Expression.Chars(0, Character.MAX_CODE_POINT);
        }
        throw switch (peek()) {
            case '<', '!' -> error("tokens are not supported; write their text");
            case '\'' -> error("texts are in double quotation marks");
            case '*', '+', '?', '{' -> error("nothing can be repeated before '%s'".formatted(shown()));
            default -> error("'%s' is not expected here".formatted(shown()));
        };
    }

    @Override
    Expression quantified(Expression part) {
        if (!take("{")) {
            return repeated(part);
        }
        int from = at() - 1;
        skipBlanks(true);
        int least = count();
        int most = least;
        skipBlanks(true);
        if (take(",")) {
            skipBlanks(true);
            most = peek() == '}' ? Expression.UNBOUNDED : count();
            skipBlanks(true);
        }
        if (!take("}")) {
            throw error("a quantifier is {n}, {n,} or {n,m}", from);
        }
        return repeated(part, least, most);
    }

    /** The rest of a class of characters. */
    private Expression set(int from) {
        boolean not = take("^");
        Ints members = new Ints();
        while (!take("]")) {
            if (!more()) {
                throw error("a class of characters is not closed", from);
            }
            int low = member();
            int high = low;
            if (peek() == '-' && peek(1) != ']') {
                codePoint();
                high = member();
                if (high < low) {
                    throw error("a range goes from one character to a later one");
                }
            }
            members.add(low);
            members.add(high);
        }
        int[] all = CodePoints.union(members.toArray(), new int[0]);
        if (all.length == 0) {
            throw error("a class of characters is empty; '.' is any character", from);
        }
        return new Expression.Chars(not ? CodePoints.not(all) : all);
    }

    private int member() {
        int c = codePoint();
        return c == '\\' ? escape() : c;
    }
}
