/** The demonstration did not come to its end; the message says where it stopped and what to look at. */
export class DemoFailed extends Error {
  readonly code = "DEMO_FAILED";
  constructor(message: string) {
    super(message);
    this.name = "DemoFailed";
  }
}
