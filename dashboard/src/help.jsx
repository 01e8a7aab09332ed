import { Dialog } from "./parts/Dialog.jsx";
import { allKeys } from "./kit/keys.js";

export function Help({ onClose }) {
    return (
        <Dialog title="Keyboard shortcuts" onClose={onClose}>
            <div class="help">
                {allKeys().map((table) => (
                    <section key={table.title}>
                        <h3>{table.title}</h3>
                        <dl>
                            {table.keys.map(({ key, what }) => (
                                <div key={key}>
                                    <dt>
                                        {key.split(" ").map((one, i) => (
                                            <>
                                                {i > 0 && " then "}
                                                <kbd>{one}</kbd>
                                            </>
                                        ))}
                                    </dt>
                                    <dd>{what}</dd>
                                </div>
                            ))}
                        </dl>
                    </section>
                ))}
            </div>
        </Dialog>
    );
}
