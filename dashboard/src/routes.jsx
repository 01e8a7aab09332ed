/* The only table of pages. path: ":name" is one segment, decoded. nav: under which entry of the navigation it stands; `entry` is that
 * entry's own page. needs: the actions of which the token must have one on some name ("any": whoever is logged in). */
import { ApiPage } from "./api/ApiPage.jsx";
import { OverviewPage } from "./overview/OverviewPage.jsx";
import { EventPage } from "./streams/EventPage.jsx";
import { StreamPage } from "./streams/StreamPage.jsx";
import { StreamsPage } from "./streams/StreamsPage.jsx";
import { GroupPage } from "./groups/GroupPage.jsx";
import { GroupsPage } from "./groups/GroupsPage.jsx";
import { JobPage } from "./letters/JobPage.jsx";
import { JobsPage } from "./letters/JobsPage.jsx";
import { LetterPage } from "./letters/LetterPage.jsx";
import { LettersPage } from "./letters/LettersPage.jsx";
import { StreamLettersPage } from "./letters/StreamLettersPage.jsx";
import { ContractPage } from "./schemas/ContractPage.jsx";
import { ContractsPage } from "./schemas/ContractsPage.jsx";
import { SchemasPage } from "./schemas/SchemasPage.jsx";
import { SubjectPage } from "./schemas/SubjectPage.jsx";
import { DefineProjectionPage, EditProjectionPage } from "./projections/DefinePage.jsx";
import { ProjectionPage } from "./projections/ProjectionPage.jsx";
import { ProjectionsPage } from "./projections/ProjectionsPage.jsx";
import { EditPage } from "./sagas/EditPage.jsx";
import { InstancePage } from "./sagas/InstancePage.jsx";
import { SagaPage } from "./sagas/SagaPage.jsx";
import { SagasPage } from "./sagas/SagasPage.jsx";
import { TargetsPage } from "./sagas/TargetsPage.jsx";

const STREAMS = ["subscribe", "publish", "manage", "dlq"];
const GROUPS = ["subscribe", "manage", "dlq"], FOLD = ["projection"];

export const routes = [
    { path: "/", title: "Overview", page: OverviewPage, nav: "Overview", entry: true, key: "o", needs: ["any"] },

    { path: "/streams", title: "Streams", page: StreamsPage, nav: "Streams", entry: true, key: "s", needs: STREAMS },
    { path: "/streams/:stream", title: "Stream", page: StreamPage, nav: "Streams", needs: STREAMS },
    { path: "/streams/:stream/events/:partition/:offset", title: "Event", page: EventPage, nav: "Streams", needs: ["subscribe"] },

    { path: "/groups", title: "Groups", page: GroupsPage, nav: "Groups", entry: true, key: "g", needs: GROUPS },
    { path: "/groups/:stream/:group", title: "Group", page: GroupPage, nav: "Groups", needs: GROUPS },

    { path: "/letters", title: "Dead letters", page: LettersPage, nav: "Dead letters", entry: true, key: "d", needs: ["dlq"] },
    { path: "/letters/:stream", title: "Dead letters of a stream", page: StreamLettersPage, nav: "Dead letters", needs: ["dlq"] },
    { path: "/letters/:stream/:id", title: "Dead letter", page: LetterPage, nav: "Dead letters", needs: ["dlq"] },
    { path: "/jobs", title: "Jobs", page: JobsPage, nav: "Dead letters", needs: ["dlq"] },
    { path: "/jobs/:id", title: "Job", page: JobPage, nav: "Dead letters", needs: ["dlq", "projection"] },

    { path: "/schemas", title: "Schemas", page: SchemasPage, nav: "Schemas", entry: true, key: "c", needs: ["schema"] },
    { path: "/schemas/:subject", title: "Subject", page: SubjectPage, nav: "Schemas", needs: ["schema"] },
    { path: "/contracts", title: "Contracts", page: ContractsPage, nav: "Schemas", needs: ["schema"] },
    { path: "/contracts/:consumer", title: "Contract", page: ContractPage, nav: "Schemas", needs: ["schema"] },

    { path: "/projections", title: "Projections", page: ProjectionsPage, nav: "Projections", entry: true, key: "p",
        needs: FOLD },
    { path: "/projections/~new", title: "Define a projection", page: DefineProjectionPage, nav: "Projections", needs: FOLD },
    { path: "/projections/:projection", title: "Projection", page: ProjectionPage, nav: "Projections", needs: FOLD },
    { path: "/projections/:projection/edit", title: "Edit a projection", page: EditProjectionPage, nav: "Projections",
        needs: FOLD },

    { path: "/sagas", title: "Sagas", page: SagasPage, nav: "Sagas", entry: true, key: "a", needs: ["saga"] },
    { path: "/sagas/~new", title: "Define a saga", page: EditPage, nav: "Sagas", needs: ["saga"] },
    { path: "/sagas/:saga", title: "Saga", page: SagaPage, nav: "Sagas", needs: ["saga"] },
    { path: "/sagas/:saga/edit", title: "Edit a saga", page: EditPage, nav: "Sagas", needs: ["saga"] },
    { path: "/sagas/:saga/instances/:id", title: "Instance of a saga", page: InstancePage, nav: "Sagas", needs: ["saga"] },
    { path: "/targets", title: "Targets", page: TargetsPage, nav: "Sagas", needs: ["admin"] },

    { path: "/api", title: "API", page: ApiPage, nav: "API", entry: true, key: "i", needs: ["any"] },
];
