package main

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
)

// thing is the resource echo_thing: 26 attributes of every common kind, none
// of which has an effect.
type thing struct{}

func newThing() resource.Resource { return thing{} }

func (thing) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "echo_thing"
}

func (thing) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	keep := []planmodifier.String{stringplanmodifier.UseStateForUnknown()}
	attributes := map[string]schema.Attribute{
		"name": schema.StringAttribute{
			Required:      true,
			PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
		},
		"id":       schema.StringAttribute{Computed: true, PlanModifiers: keep},
		"computed": schema.StringAttribute{Computed: true, PlanModifiers: keep},
		"nested": schema.SingleNestedAttribute{
			Optional: true,
			Attributes: map[string]schema.Attribute{
				"a": schema.StringAttribute{Optional: true},
				"b": schema.Int64Attribute{Optional: true},
			},
		},
	}
	numbered(attributes, "s", 8, schema.StringAttribute{Optional: true})
	numbered(attributes, "i", 4, schema.Int64Attribute{Optional: true})
	numbered(attributes, "f", 2, schema.Float64Attribute{Optional: true})
	numbered(attributes, "b", 4, schema.BoolAttribute{Optional: true})
	numbered(attributes, "l", 2, schema.ListAttribute{Optional: true, ElementType: types.StringType})
	numbered(attributes, "m", 2, schema.MapAttribute{Optional: true, ElementType: types.StringType})
	resp.Schema = schema.Schema{Description: "Echoes its plan.", Attributes: attributes}
}

func numbered(into map[string]schema.Attribute, prefix string, count int, attribute schema.Attribute) {
	for n := 1; n <= count; n++ {
		into[fmt.Sprintf("%s%d", prefix, n)] = attribute
	}
}

func (thing) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	resp.State.Raw = req.Plan.Raw
	resp.Diagnostics.Append(fillComputed(ctx, &resp.State)...)
}

// Read keeps what is in state: the framework hands the prior state back by
// default, and there is nothing outside it that could have drifted.
func (thing) Read(context.Context, resource.ReadRequest, *resource.ReadResponse) {}

func (thing) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	resp.State.Raw = req.Plan.Raw
	resp.Diagnostics.Append(fillComputed(ctx, &resp.State)...)
}

func (thing) Delete(context.Context, resource.DeleteRequest, *resource.DeleteResponse) {}

func fillComputed(ctx context.Context, state *tfsdk.State) diag.Diagnostics {
	var name types.String
	diags := state.GetAttribute(ctx, path.Root("name"), &name)
	if diags.HasError() {
		return diags
	}
	diags.Append(state.SetAttribute(ctx, path.Root("id"), name.ValueString())...)
	diags.Append(state.SetAttribute(ctx, path.Root("computed"), "computed-"+name.ValueString())...)
	return diags
}
