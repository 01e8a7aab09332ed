#ifndef WEIR_NOTIFY_H
#define WEIR_NOTIFY_H

/* Tells the supervisor that NOTIFY_SOCKET names (sd_notify(3): systemd with Type=notify, or any that speaks the same) how far the
 * program is: "READY=1", "STOPPING=1", "STATUS=…". Nothing happens without a supervisor; a failure is not told: it cannot be
 * helped. Main thread. */
void notify_supervisor(const char *state);

#endif
