package dev.jeton.models.template;

import dev.jeton.models.TemplateException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Splits a template into tokens as Jinja2 does with {@code trim_blocks} and {@code lstrip_blocks} on, which is how
 * Hugging Face renders chat templates: the first newline after a block tag or comment goes, and so does white space
 * before one at the start of a line; {@code -} strips everything on its side, {@code +} turns stripping off.
 */
final class TemplateLexer {

    private static final String[] OPERATORS = {
        "**", "//", "==", "!=", ">=", "<=", "+", "-", "*", "/", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=",
        ".", ":", "|", ",", ";"
    };

    private static final Pattern EXPONENT = Pattern.compile("[eE][+-]?\\d+");
    private static final Pattern END_RAW = Pattern.compile("\\{%([-+]?)\\s*endraw\\s*([-+]?)%}");

    private final String source;
    private final List<Token> tokens = new ArrayList<>();
    private int at;
    private int line = 1;
    private boolean lineStarts = true;
    private boolean stripNext;

    TemplateLexer(String source) {
        String text = source.replace("\r\n", "\n").replace('\r', '\n');
        this.source = text.endsWith("\n") ? text.substring(0, text.length() - 1) : text;
    }

    List<Token> tokens() {
        while (at < source.length()) {
            int tag = nextTag(at);
            if (tag < 0) {
                text(source.substring(at), false, false);
                at = source.length();
                break;
            }
            String open = source.substring(tag, tag + 2);
            char sign = tag + 2 < source.length() ? source.charAt(tag + 2) : ' ';
            boolean block = !open.equals("{{");
            text(source.substring(at, tag), sign == '-', block && sign != '+' && sign != '-');
            at = tag + 2 + (sign == '-' || sign == '+' ? 1 : 0);
            switch (open) {
                case "{#" -> comment();
                case "{%" -> block();
                default -> print();
            }
        }
        tokens.add(new Token(Token.Kind.END, "", line));
        return tokens;
    }

    private int nextTag(int from) {
        for (int i = source.indexOf('{', from); i >= 0 && i + 1 < source.length(); i = source.indexOf('{', i + 1)) {
            char next = source.charAt(i + 1);
            if (next == '{' || next == '%' || next == '#') {
                return i;
            }
        }
        return -1;
    }

    private void text(String raw, boolean stripEnd, boolean stripLine) {
        String text = stripNext ? raw.stripLeading() : raw;
        if (stripEnd) {
            text = text.stripTrailing();
        } else if (stripLine) {
            int lineStart = text.lastIndexOf('\n') + 1;
            if ((lineStart > 0 || lineStarts) && text.substring(lineStart).isBlank()) {
                text = text.substring(0, lineStart);
            }
        }
        if (!text.isEmpty()) {
            tokens.add(new Token(Token.Kind.TEXT, text, line));
        }
        line += (int) raw.chars().filter(c -> c == '\n').count();
        stripNext = false;
    }

    private void comment() {
        int end = source.indexOf("#}", at);
        if (end < 0) {
            throw error("a comment is not closed");
        }
        line += (int) source.substring(at, end).chars().filter(c -> c == '\n').count();
        char sign = end > at ? source.charAt(end - 1) : ' ';
        at = end + 2;
        closed(sign);
    }

    /** After the end of a block or comment: what to do with the white space that follows. */
    private void closed(char sign) {
        lineStarts = false;
        stripNext = sign == '-';
        if (sign != '-' && sign != '+' && at < source.length() && source.charAt(at) == '\n') {
            at++;
            line++;
            lineStarts = true;
        }
    }

    private void block() {
        int nameStart = skipSpace(at);
        if (source.startsWith("raw", nameStart) && endsRawTag(nameStart + 3)) {
            raw(nameStart + 3);
            return;
        }
        tokens.add(new Token(Token.Kind.BLOCK_BEGIN, "", line));
        char sign = expression("%}");
        tokens.add(new Token(Token.Kind.BLOCK_END, "", line));
        closed(sign);
    }

    private boolean endsRawTag(int from) {
        int i = skipSpace(from);
        return source.startsWith("%}", i) || source.startsWith("-%}", i);
    }

    private void raw(int from) {
        int open = source.indexOf("%}", from);
        boolean stripStart = source.charAt(open - 1) == '-';
        java.util.regex.Matcher end = java.util.regex.Pattern.compile("\\{%([-+]?)\\s*endraw\\s*([-+]?)%}")
                .matcher(source);
        if (!end.find(open + 2)) {
            throw error("a raw block is not closed");
        }
        String body = source.substring(open + 2, end.start());
        body = stripStart ? body.stripLeading() : body.startsWith("\n") ? body.substring(1) : body;
        body = end.group(1).equals("-") ? body.stripTrailing() : body;
        if (!body.isEmpty()) {
            tokens.add(new Token(Token.Kind.TEXT, body, line));
        }
        at = end.end();
        closed(end.group(2).isEmpty() ? ' ' : end.group(2).charAt(0));
    }

    private void print() {
        tokens.add(new Token(Token.Kind.PRINT_BEGIN, "", line));
        char sign = expression("}}");
        tokens.add(new Token(Token.Kind.PRINT_END, "", line));
        stripNext = sign == '-';
        lineStarts = false;
    }

    /** Tokens up to {@code close}; answers the sign before it. Braces of dictionaries are counted. */
    private char expression(String close) {
        int depth = 0;
        while (true) {
            at = skipSpace(at);
            if (at >= source.length()) {
                throw error("a tag is not closed with " + close);
            }
            char c = source.charAt(at);
            if ((c == '-' || c == '+') && source.startsWith(close, at + 1)) {
                at += 3;
                return c;
            }
            if (depth == 0 && source.startsWith(close, at)) {
                at += 2;
                return ' ';
            }
            depth += c == '{' || c == '[' || c == '(' ? 1 : c == '}' || c == ']' || c == ')' ? -1 : 0;
            if (c == '"' || c == '\'') {
                string(c);
            } else if (Character.isDigit(c)) {
                number();
            } else if (Character.isLetter(c) || c == '_') {
                name();
            } else {
                operator();
            }
        }
    }

    private int skipSpace(int from) {
        int i = from;
        while (i < source.length() && Character.isWhitespace(source.charAt(i))) {
            line += source.charAt(i) == '\n' && i >= at ? 1 : 0;
            i++;
        }
        return i;
    }

    private void string(char quote) {
        StringBuilder value = new StringBuilder();
        int i = at + 1;
        for (; i < source.length() && source.charAt(i) != quote; i++) {
            char c = source.charAt(i);
            if (c == '\\' && i + 1 < source.length()) {
                i = escape(i + 1, value);
            } else {
                value.append(c);
                line += c == '\n' ? 1 : 0;
            }
        }
        if (i >= source.length()) {
            throw error("a string is not closed");
        }
        tokens.add(new Token(Token.Kind.STRING, value.toString(), line));
        at = i + 1;
    }

    private int escape(int i, StringBuilder value) {
        char c = source.charAt(i);
        switch (c) {
            case 'n' -> value.append('\n');
            case 't' -> value.append('\t');
            case 'r' -> value.append('\r');
            case 'b' -> value.append('\b');
            case 'f' -> value.append('\f');
            case '\\', '\'', '"' -> value.append(c);
            case 'x' -> {
                return codePoint(i, 2, value);
            }
            case 'u' -> {
                return codePoint(i, 4, value);
            }
            case 'U' -> {
                return codePoint(i, 8, value);
            }
            case '\n' -> {}
            default -> value.append('\\').append(c);
        }
        return i;
    }

    private int codePoint(int i, int digits, StringBuilder value) {
        try {
            value.appendCodePoint(Integer.parseInt(source.substring(i + 1, i + 1 + digits), 16));
        } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
            throw error("a string has a broken \\" + source.charAt(i) + " escape");
        }
        return i + digits;
    }

    private void number() {
        int i = at;
        boolean fraction = false;
        while (i < source.length()) {
            char c = source.charAt(i);
            boolean point = c == '.' && !fraction && i + 1 < source.length() && Character.isDigit(source.charAt(i + 1));
            if (!Character.isDigit(c) && c != '_' && !point) {
                break;
            }
            fraction |= point;
            i++;
        }
        Matcher exponent = EXPONENT.matcher(source).region(i, source.length());
        if (exponent.lookingAt()) {
            fraction = true;
            i = exponent.end();
        }
        String digits = source.substring(at, i).replace("_", "");
        tokens.add(new Token(fraction ? Token.Kind.FLOAT : Token.Kind.INTEGER, digits, line));
        at = i;
    }

    private void name() {
        int i = at;
        while (i < source.length() && (Character.isLetterOrDigit(source.charAt(i)) || source.charAt(i) == '_')) {
            i++;
        }
        tokens.add(new Token(Token.Kind.NAME, source.substring(at, i), line));
        at = i;
    }

    private void operator() {
        for (String operator : OPERATORS) {
            if (source.startsWith(operator, at)) {
                tokens.add(new Token(Token.Kind.OPERATOR, operator, line));
                at += operator.length();
                return;
            }
        }
        throw error("unexpected character '" + source.charAt(at) + "'");
    }

    private TemplateException error(String message) {
        return new TemplateException("chat template, line %d: %s".formatted(line, message));
    }
}
