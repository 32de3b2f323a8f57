import { afterEach, describe, expect, it, vi } from "vitest";
import { address, call } from "./client";
import { ApiError, ConnectionError } from "./errors";

vi.stubGlobal("sessionStorage", { getItem: () => "the-key", setItem: () => undefined });
const fetched = vi.fn<typeof fetch>();
vi.stubGlobal("fetch", fetched);
afterEach(() => fetched.mockReset());

function json(status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), { status, headers: { "x-request-id": "r1" } });
}

describe("address", () => {
  it("encodes what it fills in", () => {
    expect(address("/presets/{name}", { name: "a/b?ü" })).toBe("/presets/a%2Fb%3F%C3%BC");
    expect(address("/x", {}, { search: "a&b", after: null, limit: 5, ids: ["1", "2"] })).toBe(
      "/x?search=a%26b&limit=5&ids=1&ids=2",
    );
  });
});

describe("call", () => {
  it("sends the key in a header, never in the address", async () => {
    fetched.mockResolvedValue(json(200, { data: [] }));
    await call("get", "/presets");
    const [url, init] = fetched.mock.calls[0] ?? [];
    expect(url).toBe("/presets");
    expect(init?.headers).toEqual({ authorization: "Bearer the-key" });
  });

  it("throws the error of the API with its code", async () => {
    const detail = { message: "No such preset.", type: "x", code: "preset_not_found", param: null };
    fetched.mockResolvedValue(json(404, { error: detail }));
    const error = await call("get", "/presets").catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 404, code: "preset_not_found", requestId: "r1" });
  });

  it.each([
    ["a page of a proxy", () => new Response("<html>", { status: 502 }), ApiError],
    ["half of a body", () => new Response('{"data": [', { status: 200 }), ConnectionError],
  ])("throws an error for %s", async (_, response, kind) => {
    fetched.mockResolvedValue(response());
    await expect(call("get", "/presets")).rejects.toBeInstanceOf(kind);
  });

  it("says that the API cannot be reached", async () => {
    fetched.mockRejectedValue(new TypeError("Failed to fetch"));
    await expect(call("get", "/presets")).rejects.toThrow("Can't reach the SmolChat API");
  });
});
