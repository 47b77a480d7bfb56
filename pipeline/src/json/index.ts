/** JSON of events: read to the letter, and written so. */
export { documentForm, type DocumentForm } from "./document.ts";
export { FieldReader, isFinding } from "./field-values.ts";
export { JsonReader } from "./json-reader.ts";
export { plainText } from "./json-text.ts";
export { normalForm } from "./normal-form.ts";
export { placesIn } from "./places.ts";
