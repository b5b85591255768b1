package dev.jeton.server.api;

import dev.jeton.models.tools.ToolCallParser.Bounds;
import dev.jeton.models.tools.ToolDialect;
import dev.jeton.models.tools.ToolSignatures;

/**
 * That an answer may call tools, and how its model does.
 *
 * @param dialect the model's
 * @param tools that may be called
 * @param bounds of the calls of one continuation
 * @param marked whether the detokenizer leaves special tokens out, so that frames need their marks
 */
record ToolUse(ToolDialect dialect, ToolSignatures tools, Bounds bounds, boolean marked) {}
