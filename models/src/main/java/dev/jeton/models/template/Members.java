package dev.jeton.models.template;

import dev.jeton.models.template.Values.Function;
import dev.jeton.models.template.Values.Namespace;
import dev.jeton.models.template.Values.Undefined;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/** What a value has under a name or an index: {@code a.b} is a method before it is an item, {@code a['b']} an item. */
final class Members {

    private Members() {}

    /** What {@code object.name} is. */
    static Object attribute(Object object, String name) {
        if (object instanceof Undefined undefined) {
            throw Values.undefined(undefined);
        }
        if (object instanceof Namespace namespace) {
            return namespace.attributes().getOrDefault(name, new Undefined(name));
        }
        Optional<Function> method = Methods.of(object, name);
        if (method.isPresent()) {
            return method.get();
        }
        return object instanceof Map<?, ?> map && map.containsKey(name)
                ? Objects.requireNonNull(map.get(name))
                : new Undefined(name);
    }

    /** What {@code object[key]} is. */
    static Object item(Object object, Object key) {
        return switch (object) {
            case Undefined undefined -> throw Values.undefined(undefined);
            case Map<?, ?> map ->
                map.containsKey(key)
                        ? Objects.requireNonNull(map.get(key))
                        : key instanceof String name ? methodOr(object, name) : new Undefined(Values.text(key));
            case List<?> list
            when key instanceof Long || key instanceof Boolean -> {
                long index = Values.toLong(key);
                long at = index < 0 ? index + list.size() : index;
                yield at >= 0 && at < list.size()
                        ? Objects.requireNonNull(list.get((int) at))
                        : new Undefined("list item " + index);
            }
            case String s
            when key instanceof Long index -> {
                int length = Values.length(s);
                long at = index < 0 ? index + length : index;
                yield at >= 0 && at < length
                        ? Character.toString(s.codePointAt(s.offsetByCodePoints(0, (int) at)))
                        : new Undefined("character " + index);
            }
            default -> key instanceof String name ? attribute(object, name) : new Undefined(Values.text(key));
        };
    }

    private static Object methodOr(Object object, String name) {
        Optional<Function> method = Methods.of(object, name);
        return method.isPresent() ? method.get() : new Undefined(name);
    }
}
