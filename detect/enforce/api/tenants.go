package api

import (
	"reflect"
	"slices"

	"flyball/schema"
)

// One log may contain several tenants, and every point folds all of it. A caller reads only its own
// tenants: visible filters lists, maySee checks single objects.

// ofDeployment lists the types of responses that contain no data of a single tenant, and why.
var ofDeployment = map[reflect.Type]string{
	reflect.TypeFor[schema.PointState](): "points and the offsets they have applied, with numbers of breakers' generations",
	reflect.TypeFor[AuditEnd]():          "numbers, hashes and times of entries: what a copy of the trail must reach",
	reflect.TypeFor[SettingsLine]():      "of the tenant that the caller writes for",
	reflect.TypeFor[ArmingState]():       "of the tenant that the caller writes for, beside what points are configured to enforce",
	reflect.TypeFor[Status]():            "the point, and the tenant that the caller writes for; what it counts is counted for the caller",
}

// maySee reports whether the caller may read what belongs to a tenant. The canary's tenant is seen only by callers that name it.
func (c caller) maySee(tenant string) bool {
	return len(c.tenants) == 0 && tenant != schema.CanaryTenant || slices.Contains(c.tenants, tenant)
}

// visible removes the rows that the caller may not read. The field Tenant of a row names its
// tenant. A caller with a list of tenants does not see rows without this field, unless they are of
// the deployment.
func (c caller) visible(answer any) any {
	v := reflect.ValueOf(answer)
	all := len(c.tenants) == 0
	if !v.IsValid() || all && (v.Kind() != reflect.Slice || !namesTenant(v.Type().Elem())) {
		return answer
	}
	if v.Kind() != reflect.Slice {
		if _, ok := ofDeployment[v.Type()]; ok || namesTenant(v.Type()) && c.maySee(v.FieldByName("Tenant").String()) {
			return answer
		}
		return reflect.Zero(v.Type()).Interface()
	}
	row := v.Type().Elem()
	if _, ok := ofDeployment[row]; ok {
		return answer
	}
	out := reflect.MakeSlice(v.Type(), 0, v.Len())
	if !namesTenant(row) {
		return out.Interface()
	}
	for i := range v.Len() {
		if c.maySee(v.Index(i).FieldByName("Tenant").String()) {
			out = reflect.Append(out, v.Index(i))
		}
	}
	return out.Interface()
}

func namesTenant(row reflect.Type) bool {
	if row.Kind() != reflect.Struct {
		return false
	}
	f, ok := row.FieldByName("Tenant")
	return ok && f.Type.Kind() == reflect.String
}
