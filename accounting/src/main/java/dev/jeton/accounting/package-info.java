/** The books; holds only what the server already needs. */
@NullMarked
package dev.jeton.accounting;

import org.jspecify.annotations.NullMarked;
