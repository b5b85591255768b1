package dev.jeton.models.torch;

import dev.jeton.models.ModelException;
import dev.jeton.models.TorchScriptFolder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * How an encoder's {@code forward} is called, as its declaration and perhaps DJL's serving.properties say.
 *
 * @param given what it is given, in order
 * @param dictionary whether all is in one dictionary under the names of transformers
 * @param narrow whether whole numbers are of 32 bits
 */
record ForwardCall(List<Given> given, boolean dictionary, boolean narrow) {

    /** What a module is told of texts. */
    enum Given {
        /** Token ids. */
        TOKENS("input_ids"),
        /** 1 where a token is. */
        MASK("attention_mask"),
        /** Which text of a pair a token belongs to. */
        TYPES("token_type_ids");

        private final String key;

        Given(String key) {
            this.key = key;
        }

        /** As transformers names it. */
        String key() {
            return key;
        }

        static Optional<Given> named(String name) {
            for (Given given : values()) {
                if (given.key.equals(name)) {
                    return Optional.of(given);
                }
            }
            return Optional.empty();
        }
    }

    private record Argument(String type, String name, boolean required) {}

    private static final String DICTIONARY = "Dict(str, Tensor)";

    /** Copies the list. */
    ForwardCall {
        given = List.copyOf(given);
    }

    /** Whether its answer depends on token types, as far as can be told: a dictionary may hold what nobody reads. */
    boolean tokenTypes() {
        return !dictionary && given.contains(Given.TYPES);
    }

    /**
     * Reads a declaration.
     *
     * @param declaration in libtorch's words
     * @param inputs what DJL's translator would give; empty where it is to be found out
     * @throws ModelException naming what it takes and what there is
     */
    static ForwardCall read(String declaration, Optional<TorchScriptFolder.Inputs> inputs) {
        List<Argument> arguments = arguments(declaration);
        boolean narrow = inputs.map(TorchScriptFolder.Inputs::narrow).orElse(false);
        List<Given> all = List.of(Given.values());
        if (!arguments.isEmpty()
                && arguments.getFirst().type.equals(DICTIONARY)
                && required(arguments.subList(1, arguments.size())) == 0) {
            return new ForwardCall(all, true, narrow);
        }
        if (inputs.isPresent()) {
            List<Given> given = inputs.get().tokenTypes() ? all : List.of(Given.TOKENS, Given.MASK);
            if (required(arguments) > given.size() || tensors(arguments) < given.size()) {
                throw wrong(
                        declaration,
                        "serving.properties (includeTokenTypes) gives it %d tensors".formatted(given.size()));
            }
            return new ForwardCall(given, false, narrow);
        }
        return new ForwardCall(found(declaration, arguments), false, false);
    }

    /** By the names of transformers, where there is one of them; else by position, as transformers' modules have it. */
    private static List<Given> found(String declaration, List<Argument> arguments) {
        List<Given> found = new ArrayList<>();
        boolean named = arguments.stream()
                .anyMatch(argument -> Given.named(argument.name).isPresent());
        for (Argument argument : arguments) {
            Optional<Given> given = named
                    ? Given.named(argument.name)
                    : Optional.of(argument)
                            .filter(a -> a.required && found.size() < Given.values().length)
                            .map(_ -> Given.values()[found.size()]);
            if (given.isEmpty() || !isTensor(argument)) {
                break;
            }
            found.add(given.get());
        }
        if (required(arguments.subList(found.size(), arguments.size())) > 0
                || !found.contains(Given.TOKENS)
                || !found.contains(Given.MASK)) {
            throw wrong(declaration, "token ids, attention mask and token types are what there is to give");
        }
        return found;
    }

    private static int required(List<Argument> arguments) {
        return (int) arguments.stream().filter(Argument::required).count();
    }

    /** How many it takes before the first that is none. */
    private static int tensors(List<Argument> arguments) {
        int count = 0;
        while (count < arguments.size() && isTensor(arguments.get(count))) {
            count++;
        }
        return count;
    }

    private static boolean isTensor(Argument argument) {
        return argument.type.equals("Tensor") || argument.type.equals("Tensor?");
    }

    private static ModelException wrong(String declaration, String there) {
        return new ModelException(
                "the module's forward is not that of an encoder of texts: %s, where %s".formatted(declaration, there));
    }

    /** What is in the parentheses, without the module itself. */
    private static List<Argument> arguments(String declaration) {
        List<Argument> arguments = new ArrayList<>();
        int depth = 0;
        int from = declaration.indexOf('(') + 1;
        for (int at = from; at < declaration.length() && depth >= 0; at++) {
            char c = declaration.charAt(at);
            depth += c == '(' || c == '[' ? 1 : c == ')' || c == ']' ? -1 : 0;
            if (depth < 0 || depth == 0 && c == ',') {
                argument(declaration.substring(from, at).strip()).ifPresent(arguments::add);
                from = at + 1;
            }
        }
        return arguments.isEmpty() ? arguments : arguments.subList(1, arguments.size());
    }

    private static Optional<Argument> argument(String text) {
        int equals = text.indexOf('=');
        String declared = equals < 0 ? text : text.substring(0, equals);
        int space = declared.lastIndexOf(' ');
        return space < 0
                ? Optional.empty()
                : Optional.of(new Argument(declared.substring(0, space), declared.substring(space + 1), equals < 0));
    }
}
