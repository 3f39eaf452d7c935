if 'data_exporter' not in globals():
    from mage_ai.data_preparation.decorators import data_exporter


@data_exporter
def export_data(rated, *args, **kwargs):
    totals = rated.groupby('ship')['containers'].sum()
    print(totals.to_dict())
