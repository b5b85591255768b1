/** What tests of other modules use, too: libraries that stand in for those of hardware which is not there. */
@NullMarked
package dev.jeton.natives.testing;

import org.jspecify.annotations.NullMarked;
