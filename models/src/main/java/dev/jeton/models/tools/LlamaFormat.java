package dev.jeton.models.tools;

import java.util.List;

/**
 * {@code {"name": "f", "parameters": {...}}} at the beginning of the answer or of a line, {@code <|python_tag|>} in
 * front of it or not, several with semicolons between: Llama 3.1, 3.2, 3.3 and 4. What else a model writes behind the
 * tag (calls of built-in tools, Python) is text.
 */
public record LlamaFormat() implements ToolFormat {

    static final String TAG = "<|python_tag|>";

    @Override
    public String name() {
        return "llama3_json";
    }

    @Override
    public List<String> marks() {
        return List.of(TAG);
    }

    @Override
    public List<String> begins() {
        return List.of(TAG);
    }

    @Override
    public int bareBegin() {
        return '{';
    }

    @Override
    public CallFrame frame() {
        return new CallFrame("", "{\"name\": \"", "\", \"parameters\": ", CallFrame.Body.JSON, "}", "; ", "");
    }

    /** Functionary's templates have Llama's tokens and another format, with {@code <function=}. */
    @Override
    public boolean writtenBy(String template) {
        return (template.contains("<|start_header_id|>") || template.contains("<|header_start|>"))
                && template.contains("\"parameters\"")
                && template.contains("\"name\"")
                && !template.contains("<function=")
                && !template.contains("<TOOLCALL>");
    }
}
