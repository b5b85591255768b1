/** Pages of the KV cache: block pool, block tables, prefix index, tiers. */
@NullMarked
package dev.jeton.kvcache;

import org.jspecify.annotations.NullMarked;
