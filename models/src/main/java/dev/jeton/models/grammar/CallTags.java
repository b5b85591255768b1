package dev.jeton.models.grammar;

import dev.jeton.models.harmony.HarmonyHeader;
import dev.jeton.models.tools.CallFrame;
import dev.jeton.models.tools.HarmonyFormat;
import dev.jeton.models.tools.ToolFormat;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** How calls begin within a text that is free, and what they must be from there on. */
public final class CallTags {

    private CallTags() {}

    /**
     * The tags of a format: each of its literals that begin calls, and for one whose calls may begin without those, a
     * call of each of the functions up to its arguments, since only then it is known to be no other JSON. Those of
     * OpenAI's harmony format are of a message's header, not of a whole text.
     *
     * @param one whether at most one is called
     */
    public static List<GrammarSpec.Tag> of(ToolFormat format, List<GrammarSpec.Function> functions, boolean one) {
        if (format instanceof HarmonyFormat) {
            return List.of(new GrammarSpec.Tag(
                    List.of(HarmonyHeader.TO + HarmonyHeader.FUNCTIONS), new GrammarSpec.RestOfChannelCall(functions)));
        }
        CallFrame frame = format.frame();
        GrammarSpec.Calls calls = new GrammarSpec.Calls(frame, format.marks(), functions, one, Optional.empty());
        List<GrammarSpec.Tag> tags = new ArrayList<>();
        if (format.bare() && !frame.open().isEmpty()) {
            // a list of calls: what begins one is a function's name behind a bracket
            for (GrammarSpec.Function function : functions) {
                List<String> trigger = List.of(frame.open(), frame.begin() + function.name() + frame.arguments());
                tags.add(new GrammarSpec.Tag(trigger, new GrammarSpec.RestOfCalls(calls, "", Optional.of(function))));
            }
            return tags;
        }
        if (format.bare()) {
            for (GrammarSpec.Function function : functions) {
                GrammarSpec rest = new GrammarSpec.RestOfCalls(calls, "", Optional.of(function));
                for (String arguments : List.of("\"parameters\"", "\"arguments\"")) {
                    tags.add(new GrammarSpec.Tag(
                            List.of("{", "\"name\"", ":", "\"" + function.name() + "\"", ",", arguments, ":"), rest));
                }
            }
            return tags;
        }
        String head = frame.open() + frame.begin();
        for (String begin : format.begins()) {
            // one that is not in the frame is the first one in another spelling
            String framed = head.contains(begin) ? begin : format.begins().getFirst();
            String written = head.substring(0, head.indexOf(framed) + framed.length());
            tags.add(
                    new GrammarSpec.Tag(List.of(begin), new GrammarSpec.RestOfCalls(calls, written, Optional.empty())));
        }
        return tags;
    }
}
