package api

import "flyball/detect/enforce"

// outcomeAdvice says for each result with which the log can refuse a command what it means and what to do next. Bounds are named by their
// value where the state that keeps them does not name it.
var outcomeAdvice = map[enforce.ResultCode]string{
	enforce.NoBreaker: "no breaker is open about this target: it was reset, or its time is over, and calls pass already; " +
		"flyball breakers list shows those that are open, flyball breakers history what became of this one",
	enforce.IfMatchFailed: "the breaker has changed since then and was not touched; look at it (flyball breakers list -o wide), and repeat " +
		"with its present generation or without --if-match",
	enforce.ForcedOpenStays: "a person forced this breaker open, and a trip does not change that; flyball breakers reset closes it",
	enforce.NoBypass:        "no bypass is in force about this target: it was ended, or its time is over; flyball status shows those in force",
	enforce.TooManyBypasses: "as many bypasses are in force as can be; end one of them (flyball status lists them)",
	enforce.TripWithheld:    "the budget of automatic trips is spent; flyball settings list shows it",
	enforce.TripExcepted:    "an exception covers it; flyball exceptions list shows them",
	enforce.NoSuchGate: "no question has this id, or it was decided so long ago that it is forgotten; " +
		"flyball breakers gates lists those that wait",
	enforce.NotPending: "this question is answered, has timed out, or its grant was used: nothing was changed; " +
		"flyball breakers gates shows what became of it, and the agent can ask again by repeating the call",
	enforce.TooManyQuestions: "as many questions wait as can; answer or refuse some (flyball breakers gates)",
	enforce.TaskExists:       "this task is declared already, and was not changed; end it first to declare it anew (flyball task list)",
	enforce.TaskOver:         "this task has ended already; flyball task list shows those that are open",
	enforce.NoSuchTask:       "no task has this id; flyball task list shows them",
	enforce.TooManyTasks:     "as many tasks are open as can be; end those that are over (flyball task list)",
	enforce.NoSuchManifest:   "no manifest of this agent is in force; flyball manifest list shows them",
	enforce.NoSuchArming:     "no command about this pattern is in force; flyball arming shows them, and patterns of the configuration file",
	enforce.TooManyPatterns:  "as many patterns are armed and disarmed by command as can be; clear one (flyball arming lists them)",
	enforce.NoSuchException:  "no exception has this id; flyball exceptions list shows them",
	enforce.TooManyExceptions: "as many exceptions are in force as can be; remove one (flyball exceptions list), or write it into " +
		"detect.exceptions",
	enforce.NoSuchRoute:     "no order about this route is in force; flyball routes learned shows them",
	enforce.TooManyRoutes:   "as many orders about routes are in force as can be; clear one (flyball routes learned)",
	enforce.LinkUsed:        "this link has acknowledged before; flyball alert list shows who took the incident",
	enforce.LinkExpired:     "this link has expired; acknowledge with flyball alert ack",
	enforce.TooManyLinks:    "as many links were used lately as are remembered; acknowledge with flyball alert ack",
	enforce.NoSuchSilence:   "no silence has this id: it was ended, or its time is over; flyball alert silence list shows those in force",
	enforce.TooManySilences: "as many silences are in force as can be; end one (flyball alert silence list)",
}

// refusedText says what a result means that is no success: its word, what the state says about it, and what to do.
func refusedText(r enforce.Result) string {
	text := string(r.Code)
	for _, more := range []string{r.Detail, outcomeAdvice[r.Code]} {
		if more != "" {
			text += ": " + more
		}
	}
	return text
}
