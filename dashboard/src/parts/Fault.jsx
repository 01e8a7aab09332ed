import { Copy } from "./Copy.jsx";

/* A failure, where it happened. error: a Problem of kit/api.js or any Error. quiet: a line, for data that are only old. */
export function Fault({ error, retry, quiet }) {
    if (!error) {
        return null;
    }
    const title = error.title ?? "This page failed";
    const detail = error.name === "Problem" ? error.detail : error.message;
    return (
        <div class={`fault ${quiet ? "quiet" : ""}`} role={quiet ? undefined : "alert"}>
            <p class="fault-title">
                {title}
                {error.status ? (
                    <span class="fault-status">
                        {" "}
                        {error.status}
                        {error.code && ` · ${error.code}`}
                    </span>
                ) : null}
            </p>
            {detail && detail !== title && <p>{detail}</p>}
            {error.errors?.length > 0 && (
                <ul>
                    {error.errors.map((one, i) => (
                        <li key={i}>
                            {one.pointer !== undefined && <code>{one.pointer || "(the whole)"}</code>} {one.detail ?? one.keyword}
                        </li>
                    ))}
                </ul>
            )}
            {(error.requestId || retry) && (
                <p class="fault-foot">
                    {error.requestId && (
                        <span>
                            Request <code>{error.requestId}</code> <Copy text={error.requestId} label="Copy request id" small />
                        </span>
                    )}
                    {retry && (
                        <button type="button" onClick={retry}>
                            Try again
                        </button>
                    )}
                </p>
            )}
        </div>
    );
}
