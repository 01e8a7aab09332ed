import { render } from "preact";
import "./style/tokens.css";
import "./style/base.css";
import "./style/shell.css";
import "./style/parts.css";
import "./style/forms.css";
import { Shell } from "./shell.jsx";

render(<Shell />, document.getElementById("app"));
