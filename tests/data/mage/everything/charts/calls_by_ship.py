x = df_1['ship']
y = df_1['containers']
