/**
 * Runs before the page is painted, so that the chosen theme, rail and row height never flash.
 * Loaded as a blocking script in <head>, since the content policy allows no inline script.
 */
import { applyPreferences } from "./preferences";

applyPreferences();
