/**
 * Pages of the KV cache: block pools, block tables, the prefix index, tiers.
 *
 * <p>Here lives the book-keeping of KV memory, not the memory: blocks are numbers. {@link dev.jeton.kvcache.KvCache} is
 * called by the one thread that owns a step loop. It depends on nothing and must never know of engines, requests, time
 * other than the stamps handed to it, or money.
 */
@NullMarked
package dev.jeton.kvcache;

import org.jspecify.annotations.NullMarked;
