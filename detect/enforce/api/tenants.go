package api

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"flyball/schema"
)

// One log may hold several tenants, and every point folds all of it. What a caller reads is of its tenants alone:
// lists are filtered by visible, single things by sees.

// ofDeployment are the answers that hold nothing of one tenant.
var ofDeployment = map[reflect.Type]string{
	reflect.TypeFor[schema.PointState](): "points and the offsets they have applied, with numbers of breakers' generations",
	reflect.TypeFor[AuditEnd]():          "numbers, hashes and times of entries: what a copy of the trail must reach",
	reflect.TypeFor[SettingsLine]():      "of the tenant that the caller writes for",
	reflect.TypeFor[ArmingState]():       "of the tenant that the caller writes for, beside what points are configured to enforce",
	reflect.TypeFor[Status]():            "the point, and the tenant that the caller writes for; what it counts is counted for the caller",
}

// sees says whether the caller may read what is of a tenant.
func (w caller) sees(tenant string) bool {
	return len(w.tenants) == 0 || slices.Contains(w.tenants, tenant)
}

// visible leaves out the rows that the caller may not read. A row says whose it is by its field Tenant; a list of rows
// that do not say it, and are not of the deployment, is shown to nobody who is bound to tenants.
func (w caller) visible(answer any) any {
	v := reflect.ValueOf(answer)
	if len(w.tenants) == 0 || !v.IsValid() {
		return answer
	}
	if v.Kind() != reflect.Slice {
		if _, ok := ofDeployment[v.Type()]; ok || saysTenant(v.Type()) && w.sees(v.FieldByName("Tenant").String()) {
			return answer
		}
		return reflect.Zero(v.Type()).Interface()
	}
	row := v.Type().Elem()
	if _, ok := ofDeployment[row]; ok {
		return answer
	}
	out := reflect.MakeSlice(v.Type(), 0, v.Len())
	if !saysTenant(row) {
		return out.Interface()
	}
	for i := range v.Len() {
		if w.sees(v.Index(i).FieldByName("Tenant").String()) {
			out = reflect.Append(out, v.Index(i))
		}
	}
	return out.Interface()
}

func saysTenant(row reflect.Type) bool {
	if row.Kind() != reflect.Struct {
		return false
	}
	f, ok := row.FieldByName("Tenant")
	return ok && f.Type.Kind() == reflect.String
}

// ownFinding reports whether a finding is of the tenant that the caller writes for, and answers the caller if not. A
// caller that is bound to no tenant may judge one that is not stored yet, or while the database is away.
func (c *Control) ownFinding(in *call, id string) bool {
	if c.o.HasFinding == nil {
		return true
	}
	has, err := c.o.HasFinding(in.r.Context(), in.who.tenant, id)
	switch {
	case err != nil && len(in.who.tenants) == 0:
		c.o.Logger.Warn("a verdict without a look at its finding", "finding", id, "error", err)
		return true
	case err != nil:
		c.o.Logger.Warn("finding", "error", err)
		c.refuse(in.w, http.StatusServiceUnavailable, "database", errors.New("the database does not answer"))
	case !has:
		c.refuse(in.w, http.StatusNotFound, "no_such_finding", fmt.Errorf("%q: no such finding, or it is not stored yet", id))
	}
	return err == nil && has
}
